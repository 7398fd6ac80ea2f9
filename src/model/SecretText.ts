/** Keys that are made up for whoever gives none, as Kong makes them: 32 letters and digits. */
export const secretTextLength = 32

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/** Beyond it a byte would make the first letters likelier than the others. */
const usableBytes = 256 - (256 % letters.length)

/** Each byte is one letter or none, so that all letters are equally likely; asks for more bytes until there are enough. */
export const secretText = (bytesOf: (count: number) => Uint8Array): string => {
  let text = ""
  while (text.length < secretTextLength) {
    for (const byte of bytesOf(secretTextLength)) {
      if (byte < usableBytes && text.length < secretTextLength) text += letters[byte % letters.length]
    }
  }
  return text
}
