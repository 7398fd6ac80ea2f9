/** A name server on a free port of loopback that answers what the test puts into its records. */
import { createSocket } from "node:dgram"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"

export type TestRecord =
  | { readonly type: "A"; readonly ttl: number; readonly address: string }
  | { readonly type: "AAAA"; readonly ttl: number; readonly groups: ReadonlyArray<number> }
  | {
      readonly type: "SRV"
      readonly ttl: number
      readonly priority: number
      readonly weight: number
      readonly port: number
      readonly target: string
    }

/** `servfail` answers so; a name that is not there does not exist. */
export type Zone = Map<string, ReadonlyArray<TestRecord> | "servfail">

const typeNumbers = { A: 1, AAAA: 28, SRV: 33 } as const

const labels = (name: string): Buffer =>
  Buffer.concat([
    ...name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0])
  ])

const words = (...values: ReadonlyArray<number>): Buffer => {
  const buffer = Buffer.alloc(values.length * 2)
  values.forEach((value, index) => buffer.writeUInt16BE(value, index * 2))
  return buffer
}

const dataOf = (record: TestRecord): Buffer => {
  if (record.type === "A") return Buffer.from(record.address.split(".").map(Number))
  if (record.type === "AAAA") return words(...record.groups)
  return Buffer.concat([words(record.priority, record.weight, record.port), labels(record.target)])
}

const encode = (record: TestRecord): Buffer => {
  const data = dataOf(record)
  // The name is a pointer to the question's.
  return Buffer.concat([words(0xc00c, typeNumbers[record.type], 1, 0, record.ttl, data.length), data])
}

const questionOf = (message: Buffer) => {
  const parts: Array<string> = []
  let at = 12
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    parts.push(message.toString("latin1", at + 1, at + 1 + length))
    at += 1 + length
  }
  const number = message.readUInt16BE(at + 1)
  const type = Object.entries(typeNumbers).find(([, value]) => value === number)?.[0] ?? String(number)
  return { name: parts.join(".").toLowerCase(), type, bytes: message.subarray(12, at + 5) }
}

export const startDnsServer = (zone: Zone) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const asked: Array<string> = []
      const socket = createSocket("udp4")
      socket.on("message", (message, peer) => {
        const { name, type, bytes } = questionOf(message)
        asked.push(`${type} ${name}`)
        const known = zone.get(name)
        const records = known === undefined || known === "servfail" ? [] : known.filter((row) => row.type === type)
        const code = known === "servfail" ? 2 : known === undefined ? 3 : 0
        const head = words(message.readUInt16BE(0), 0x8580 | code, 1, records.length, 0, 0)
        socket.send(Buffer.concat([head, bytes, ...records.map(encode)]), peer.port, peer.address)
      })
      await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve))
      return { address: `127.0.0.1:${(socket.address() as AddressInfo).port}`, asked, socket }
    }),
    ({ socket }) => Effect.sync(() => socket.close())
  )
