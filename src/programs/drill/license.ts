/** Licences of a drill's own: unsigned, as a node without a key takes them, and handed out by the control plane. */
import { Effect } from "effect"
import { expectStatus, type StepFailed } from "../stage/Probe.ts"
import type { Ground } from "./Ground.ts"

const id = "d1711000-0000-4000-8000-000000000001"

/** The day of an instant, in UTC, as licences write it; they end with the day before, at 00:00 of this one. */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

const payload = (expires: string): string =>
  JSON.stringify({
    license: {
      payload: { customer: "a drill", license_creation_date: "2020-01-01", license_expiration_date: expires },
      signature: "0".repeat(128),
      version: "1"
    }
  })

/** One licence, in the former one's place. */
export const handOutLicense = ({ stage }: Ground, expires: string): Effect.Effect<void, StepFailed> =>
  Effect.asVoid(
    expectStatus(
      { url: `${stage.urls.admin}/licenses/${id}`, method: "PUT", json: { payload: payload(expires) } },
      200,
      201
    )
  )
