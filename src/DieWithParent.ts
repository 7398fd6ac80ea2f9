/**
 * A child that must not outlive its parent, not even one that is killed with -9: it is started with an IPC channel that
 * nobody writes to, and ends itself when the channel closes.
 */

/** Not a `HOLDFAST_` name: those are settings. */
export const tiedName = "_HOLDFAST_TIED"

/** To be added to the environment of a child that has an IPC channel. */
export const tiedEnv = { [tiedName]: "1" }

export const dieWithParent = (): void => {
  delete process.env[tiedName]
  if (process.channel === undefined || process.channel === null) return
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"))
  // Listening for the end must not be what keeps this process alive.
  process.channel.unref()
}
