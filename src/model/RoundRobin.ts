/**
 * Weighted round robin over a wheel of Σ(weight/gcd) slots (`proxy-behaviour.md` §7): in every full turn each address is
 * chosen exactly weight/gcd times. The gateway shuffles its wheel once; here the slots are interleaved as evenly as the
 * weights allow, which needs no randomness and sends no bursts to a heavy target.
 */
import type { Address, Balancer } from "./CompiledConfig.ts"

export interface Weighted {
  readonly address: Address
  readonly weight: number
}

interface Slot {
  readonly address: Address
  readonly weight: number
  credit: number
}

const none: ReadonlyArray<Address> = []

const isBetter = (slot: Slot, best: Slot, failed: ReadonlyArray<Address>): boolean => {
  const isAvoided = failed.includes(slot.address)
  return isAvoided === failed.includes(best.address) ? slot.credit > best.credit : !isAvoided
}

/** The state is the balancer's own: a new configuration starts a new wheel. */
export const makeRoundRobin = (targets: ReadonlyArray<Weighted>): Balancer => {
  const slots: ReadonlyArray<Slot> = targets
    .filter(({ weight }) => weight > 0)
    .map(({ address, weight }) => ({ address, weight, credit: 0 }))
  const total = slots.reduce((sum, { weight }) => sum + weight, 0)
  return {
    next: (failed = none) => {
      let best: Slot | undefined
      for (const slot of slots) {
        slot.credit += slot.weight
        if (best === undefined || isBetter(slot, best, failed)) best = slot
      }
      if (best === undefined) return undefined
      best.credit -= total
      return best.address
    }
  }
}
