import {html, useEffect, useState} from '../lib.js'
import {call} from '../state/api.js'
import {learn, nameOf} from '../state/people.js'
import {Avatar} from './avatar.js'

/** @typedef {import('../types.d.ts').User} User */

/** Searches users for q, shortly after the last key. @param {string} q */
export function usePeople(q) {
  const [found, setFound] = useState({q: '', people: /** @type {User[]} */ ([]), fault: ''})
  useEffect(() => {
    if (!q) return setFound({q, people: [], fault: ''})
    let late = false
    const timer = setTimeout(async () => {
      try {
        /** @type {User[]} */
        const people = await call('GET', `/api/users/search?q=${encodeURIComponent(q)}`)
        people.forEach(learn)
        if (!late) setFound({q, people, fault: ''})
      } catch (e) {
        if (!late) setFound({q, people: [], fault: /** @type {Error} */ (e).message})
      }
    }, 200)
    return () => { late = true; clearTimeout(timer) }
  }, [q])
  // No “no results” before the response.
  return {people: found.people, fault: found.q === q ? found.fault : 'Searching…'}
}

/** A user in a list. @param {{user: User, note?: string}} props */
export function Found({user, note}) {
  const name = nameOf(user)
  return html`
    <${Avatar} name=${name} id=${user.id} online=${user.online} />
    <span class="what"><span class="name">${name}</span><span class="preview">${note ?? (user.username ? `@${user.username}` : '')}</span></span>`
}

/** A search for users, to choose them. @param {{label: string, without: number[], choose: (u: User) => void}} props */
export function Picker({label, without, choose}) {
  const [q, setQ] = useState('')
  const {people, fault} = usePeople(q.trim())
  const others = people.filter(p => !without.includes(p.id))
  const pick = (/** @type {User} */ user) => { choose(user); setQ('') }
  return html`
    <label class="field"><span>${label}</span>
      <input type="text" autocomplete="off" spellcheck=${false} placeholder="Name, username or phone" value=${q}
        onInput=${(/** @type {any} */ e) => setQ(e.currentTarget.value)} />
    </label>
    <ul class="found">
      ${others.map(p => html`<li key=${p.id}><button type="button" class="row" onClick=${() => pick(p)}><${Found} user=${p} /></button></li>`)}
    </ul>
    ${q.trim() && others.length === 0 && html`<p class="quiet" role="status">${fault || 'No results.'}</p>`}`
}
