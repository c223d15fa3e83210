// The API: requests with the token, answers without their envelope.
import {enter, leave, session} from './session.js'

/** @typedef {import('../types.d.ts').User} User */

/** A refusal of the server, or a network error. Its message is shown to the user. */
export class ApiError extends Error {
  /** @param {number} status 0: no answer came; @param {string} what; @param {string} [why] */
  constructor(status, what, why) {
    super(sentence(why ? `${what}: ${why}` : what))
    this.status = status
  }
}

/** @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.')
}

const PATIENCE = 40_000 // longer than imadmin waits for a server

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {string} [token]
 */
async function request(method, path, body, token) {
  /** @type {Record<string, string>} */
  const headers = {}
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  if (token) headers.Authorization = `Bearer ${token}`
  try {
    return await fetch(path, {method, headers, signal: AbortSignal.timeout(PATIENCE), ...(body !== undefined && {body: JSON.stringify(body)})})
  } catch {
    throw new ApiError(0, 'No response', method === 'GET' ? 'the server cannot be reached; try again'
      : 'the connection was lost. The change may have been made: check before you try again')
  }
}

/** The error if the user must first set up a second factor. */
const ENROL = 'two-factor login required'

/** @param {Response} res */
async function unwrap(res) {
  const body = await res.json().catch(() => null)
  if (res.ok && body) return body
  if (res.status === 403 && body?.error === ENROL) location.hash = 'security' // nothing else can be done before
  throw new ApiError(res.status, body?.error ?? 'The server did not answer as expected', body?.details ?? `status ${res.status}`)
}

/** @type {Promise<void> | null} */
let renewing = null

/** Replaces the token used. Concurrent calls share one request. */
function renew(/** @type {string} */ used) {
  const now = session.peek()
  if (!now || now.token !== used) return Promise.resolve()
  renewing ??= refresh(now.refresh_token).finally(() => { renewing = null })
  return renewing
}

async function refresh(/** @type {string} */ refreshToken) {
  try {
    enter((await unwrap(await request('POST', '/api/auth/refresh', {refresh_token: refreshToken}))).data)
  } catch (e) {
    if (e instanceof ApiError && (e.status === 401 || e.status === 403)) leave(`You were logged out. ${e.message}`)
    throw e
  }
}

/** Sends a request as the user, with a new token if the old one is no longer good. */
async function authorized(/** @type {string} */ method, /** @type {string} */ path, /** @type {unknown} */ body) {
  const token = session.peek()?.token ?? ''
  const res = await request(method, path, body, token)
  if (res.status !== 401) return res
  await renew(token)
  return request(method, path, body, session.peek()?.token)
}

/**
 * Makes a call and returns the data of its answer.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function call(method, path, body) {
  return (await unwrap(await authorized(method, path, body))).data
}

/**
 * Asks for a part of a list.
 * @param {string} path
 * @param {Record<string, string | number>} query what is empty is left out
 * @returns {Promise<import('../types.d.ts').Part<any>>}
 */
export async function list(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== '').map(([name, value]) => [name, String(value)])
  const {data, total, more_total, limit, offset, has_more, next_before_id} = await unwrap(await authorized('GET', `${path}?${new URLSearchParams(given)}`, undefined))
  return {items: data ?? [], total, more_total, limit, offset: offset ?? 0, more: Boolean(has_more), next: next_before_id}
}

/** Gets what is not in the API's envelope: text. An answer with another status than 200 is an error unless it is in also. */
export async function text(/** @type {string} */ path, /** @type {number[]} */ also = []) {
  const res = await authorized('GET', path, undefined)
  if (!res.ok && !also.includes(res.status)) await unwrap(res)
  return res.text()
}

/** The rights without which there is nothing to do here. */
const STAFF = ['moderator', 'admin', 'super_admin']

/**
 * Logs in. It returns what to ask a code with, if there is a second factor.
 * @param {{phone?: string, username?: string, password: string}} credentials
 * @returns {Promise<string | null>}
 */
export async function logIn(credentials) {
  const {data} = await unwrap(await request('POST', '/api/auth/login', credentials))
  if (data.two_factor) return data.login_token
  await admit(data)
  return null
}

/** Logs in with a code of the second factor. */
export async function logInWithCode(/** @type {string} */ loginToken, /** @type {string} */ code) {
  await admit((await unwrap(await request('POST', '/api/auth/login/2fa', {login_token: loginToken, code}))).data)
}

/** Lets in who belongs to the staff, and ends the session of anybody else. */
async function admit(/** @type {any} */ data) {
  if (STAFF.includes(data.user.role)) return enter(data)
  await request('POST', '/api/auth/logout', undefined, data.token).catch(() => {}) // the token runs out by itself
  throw new ApiError(403, 'This account is not an administrator’s', 'ask an operator for a role: imserver admin grant')
}

/** Logs out, on the server too if it can be reached. */
export async function logOut() {
  await call('POST', '/api/auth/logout').catch(() => {}) // the token runs out by itself
  leave()
}
