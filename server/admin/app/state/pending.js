// How many reports wait for a moderator.
import {signal} from '../lib.js'
import {list} from './api.js'

const EVERY = 15_000

export const pending = signal(0)

export async function countPending() {
  try {
    pending.value = (await list('/api/moderation/reports/pending', {limit: 1})).total ?? 0
  } catch {
    // The page of reports says why.
  }
}

/** Counts now and every few seconds, until the function that it returns is called. */
export function askPending() {
  void countPending()
  const timer = setInterval(() => { if (!document.hidden) void countPending() }, EVERY)
  return () => { clearInterval(timer); pending.value = 0 }
}
