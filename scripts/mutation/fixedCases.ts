/**
 * Loaded before each test file: properties draw the same cases in each run, so that a survivor is one because no test
 * notices, and not for want of luck; and a failure is enough, nobody reads the smallest one.
 */
import * as fc from "fast-check"

fc.configureGlobal({ seed: 20240229, endOnFailure: true })
