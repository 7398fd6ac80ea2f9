/**
 * Work that is done in steps of about a millisecond. Whoever does it may let others have the thread between two of them, or do
 * all at once.
 */
export type Steps<A> = Generator<undefined, A>

export const atOnce = <A>(steps: Steps<A>): A => {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** Steps of so many items each. */
export function* inSteps<T>(items: Iterable<T>, perStep: number, work: (item: T) => void): Steps<void> {
  let count = 0
  for (const item of items) {
    work(item)
    if (++count % perStep === 0) yield
  }
}
