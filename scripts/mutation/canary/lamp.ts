/** Code with a test that hardly looks at it: each fault that it lets pass is known, and listed as a survivor. */

export interface Lamp {
  readonly isOn: boolean
  readonly uses: number
  readonly colours: ReadonlyArray<string>
}

type Part = (lamp: Lamp) => Lamp

const sequence = (lamp: Lamp, ...parts: ReadonlyArray<Part>): Lamp =>
  parts.reduce((reached, part) => part(reached), lamp)

export const dark: Lamp = { isOn: false, uses: 0, colours: ["white", "red"] }

const count: Part = (lamp) => ({ ...lamp, uses: lamp.uses + 1 })

export const press = (lamp: Lamp, limit?: number): Lamp => {
  if (lamp.uses >= (limit ?? 1_000)) return lamp
  return sequence({ ...lamp, isOn: !lamp.isOn }, count)
}

export const pressAll = (lamps: ReadonlyArray<Lamp>, told: Array<string>): ReadonlyArray<Lamp> => {
  const pressed = lamps.map((lamp) => press(lamp))
  told.push("pressed")
  return pressed
}
