import { assert, it } from "@effect/vitest"
import { dark, press, pressAll } from "./lamp.ts"

it("is on when pressed, off when pressed again", () => {
  assert.isTrue(press(dark).isOn)
  assert.isFalse(press(press(dark)).isOn)
})

it("takes several", () => assert.lengthOf(pressAll([dark, dark], []), 2))
