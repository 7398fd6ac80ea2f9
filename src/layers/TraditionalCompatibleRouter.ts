/** Routes as Kong's default flavour does: `router_flavor=traditional_compatible` (reference `router.md`). */
import { Layer } from "effect"
import { compileConfig } from "../model/compileConfig.ts"
import { Router } from "../services/Router.ts"

export const layer: Layer.Layer<Router> = Layer.succeed(Router, { compile: compileConfig })
