/** Work that is done in steps of about a millisecond: whoever does it lets others have the thread between two of them. */
export type Steps<A> = Generator<undefined, A>

/** Steps of so many items each. */
export function* inSteps<T>(items: Iterable<T>, perStep: number, work: (item: T) => void): Steps<void> {
  let count = 0
  for (const item of items) {
    work(item)
    if (++count % perStep === 0) yield
  }
}
