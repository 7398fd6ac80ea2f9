/** A body to its end, if it may be that long: half of an object is none. */
import { StoreTrouble, tooLarge } from "./vendorStore.ts"

export interface Body {
  readonly stream: AsyncIterable<Uint8Array | string>
  /** What the answer's head promises; `undefined` when it promises nothing. */
  readonly length: number | undefined
}

const joined = (chunks: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  // Of its own, not of a pool: it is handed over to another thread.
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** Stops reading at the first byte too many, which ends the stream; before the first one where the head says so. */
export const wholeBody = async ({ stream, length }: Body, maxBytes: number): Promise<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  let read = 0
  for await (const chunk of stream) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk
    read += bytes.length
    if (read > maxBytes || (length ?? 0) > maxBytes) throw tooLarge(maxBytes)
    chunks.push(bytes)
  }
  if (length !== undefined && read !== length)
    throw new StoreTrouble("unavailable", `the answer broke off after ${read} of ${length} bytes`)
  return joined(chunks, read)
}
