// The types of lib.js, for the checker; it takes this file in place of the other.
import type {VNode} from 'preact'

export {Component, render} from 'preact'
export {useEffect, useLayoutEffect, useMemo, useRef, useState} from 'preact/hooks'
export {batch, computed, effect, signal, useSignal, useComputed} from '@preact/signals'
export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode
