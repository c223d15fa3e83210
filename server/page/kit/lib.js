// What the client uses of its view library, in one place: an update touches
// this file alone.
import {h} from './vendor/preact.mjs'
import htm from './vendor/htm.mjs'

export {Component, render} from './vendor/preact.mjs'
export {useEffect, useLayoutEffect, useMemo, useRef, useState} from './vendor/hooks.mjs'
export {batch, computed, effect, signal, useSignal, useComputed} from './vendor/signals.mjs'

/** html makes elements of a template. Values are text or properties, never markup. */
export const html = htm.bind(h)
