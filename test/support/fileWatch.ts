/** Follows and reads real files. */
import { Layer } from "effect"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as StatFileWatch from "../../src/layers/StatFileWatch.ts"

export const fileWatch = StatFileWatch.layer.pipe(Layer.provideMerge(NodeDisk.layer))
