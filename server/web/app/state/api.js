// The HTTP part of the API: requests with the token, answers without their envelope.
import {named} from './people.js'
import {enter, leave, session, setUpFirst, trust, trusted} from './session.js'

/** @typedef {import('../types.d.ts').FileInfo} FileInfo */

/** A refusal of the server, or a network error. Its message is shown to the user. */
class ApiError extends Error {
  /** @param {number} status 0: no answer came; @param {string} what; @param {string} [why] */
  constructor(status, what, why) {
    super(named(sentence(why ? `${what}: ${why}` : what)))
    this.status = status
  }
}

/** @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.')
}

const unreachable = () => new ApiError(0, 'The server cannot be reached', 'check your connection and try again')

/**
 * @param {string} path
 * @param {RequestInit} init
 * @param {string} [token]
 */
async function request(path, init, token) {
  const headers = {...init.headers, ...(token && {Authorization: `Bearer ${token}`})}
  try {
    return await fetch(path, {...init, headers})
  } catch (e) {
    if (e instanceof DOMException) throw e // aborted on purpose
    throw unreachable()
  }
}

/** @param {Response} res */
async function unwrap(res) {
  const body = await res.json().catch(() => null)
  if (res.ok && body) return body
  if (res.status === 403 && body?.error === 'two-factor login required') setUpFirst.value = true
  throw new ApiError(res.status, body?.error ?? 'The server did not answer as expected', body?.details ?? 'try again in a moment')
}

/** @param {string} method; @param {unknown} [body] */
const json = (method, body) => ({
  method,
  ...(body !== undefined && {body: JSON.stringify(body), headers: {'Content-Type': 'application/json'}}),
})

/** @type {Promise<void> | null} */
let renewing = null

/** Replaces the token used. Concurrent calls share one request. */
export function renew(/** @type {string} */ used) {
  const now = session.peek()
  if (!now || now.token !== used) return Promise.resolve()
  renewing ??= refresh(now.refresh_token).finally(() => { renewing = null })
  return renewing
}

async function refresh(/** @type {string} */ refreshToken) {
  try {
    const answer = await unwrap(await request('/api/auth/refresh', json('POST', {refresh_token: refreshToken})))
    enter(answer.data)
  } catch (e) {
    if (e instanceof ApiError && e.status === 401) leave('You were logged out. Log in again.')
    throw e
  }
}

/**
 * Sends a request with the token, and again with a new one if it has expired.
 * @param {string} path
 * @param {RequestInit} init
 */
async function authorized(path, init) {
  const token = session.peek()?.token ?? ''
  const res = await request(path, init, token)
  if (res.status !== 401) return res
  await renew(token)
  return request(path, init, session.peek()?.token)
}

/**
 * Sends a request and returns the data of the response.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function call(method, path, body) {
  return (await unwrap(await authorized(path, json(method, body)))).data
}

/**
 * Gets a list: the whole response.
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function list(path) {
  return unwrap(await authorized(path, {method: 'GET'}))
}

/**
 * Logs in or registers. Returns '', or a login token if a code is also needed.
 * @param {'login' | 'register'} how
 * @param {Record<string, string>} fields
 * @returns {Promise<string>}
 */
export async function authenticate(how, fields) {
  const device = how === 'login' ? trusted() : ''
  const {data} = await unwrap(await request(`/api/auth/${how}`, json('POST', device ? {...fields, device_token: device} : fields)))
  if (data.two_factor) return data.login_token
  enter(data)
  return ''
}

/** Completes a login with a code. @param {{login_token: string, code: string, trust_device: boolean}} fields */
export async function authenticateSecond(fields) {
  const {data} = await unwrap(await request('/api/auth/login/2fa', json('POST', fields)))
  if (data.device_token) trust(data.device_token)
  enter(data)
}

/** Downloads the user's data as a zip file. @returns {Promise<Blob>} */
export async function exportMe() {
  const res = await authorized('/api/users/me/export', {method: 'GET'})
  if (!res.ok) await unwrap(res)
  return res.blob().catch(() => { throw new ApiError(0, 'The download was cut off', 'try again') })
}

/** Logs out, on the server too if it can be reached. */
export async function logOut() {
  await call('POST', '/api/auth/logout').catch(() => {}) // the token runs out by itself
  leave()
}

/** @param {number} id @returns {Promise<Blob>} */
export async function download(id) {
  const res = await authorized(`/api/files/${id}/download`, {method: 'GET'})
  if (!res.ok) await unwrap(res)
  return res.blob()
}

/**
 * Uploads a file. It uses XMLHttpRequest, because fetch does not report progress.
 * @param {File} file
 * @param {(part: number) => void} progress
 * @returns {Promise<FileInfo>}
 */
export async function upload(file, progress) {
  const now = session.peek()
  if (now && now.expires_at < Date.now() + 60_000) await renew(now.token)
  return new Promise((resolve, reject) => {
    const form = new FormData()
    form.append('file', file)
    const xhr = new XMLHttpRequest()
    xhr.open('POST', '/api/files/upload')
    xhr.setRequestHeader('Authorization', `Bearer ${session.peek()?.token}`)
    xhr.upload.onprogress = e => { if (e.lengthComputable) progress(e.loaded / e.total) }
    xhr.onerror = () => reject(unreachable())
    xhr.onload = () => unwrap(new Response(xhr.responseText, {status: xhr.status})).then(a => resolve(a.data), reject)
    xhr.send(form)
  })
}
