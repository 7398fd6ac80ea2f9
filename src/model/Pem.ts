/** The ways to write PEM in a setting: as it is, as base64 of it, or (for others to read) a path. */

const marker = "-----BEGIN "

export const isPem = (text: string): boolean => text.includes(marker)

/** PEM that stands in the setting itself; `undefined` when the text must be a path (`hybrid-protocol-v1.md` §13). */
export const inlinePem = (text: string): string | undefined => {
  if (isPem(text)) return text
  const decoded = Buffer.from(text, "base64").toString("utf8")
  return isPem(decoded) ? decoded : undefined
}
