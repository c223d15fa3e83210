import {html} from '../lib.js'
import {refine, route} from '../state/route.js'

/** @typedef {{name: string, label: string, type?: 'search' | 'number', most?: number, options?: [value: string, label: string][]}} Filter */

/**
 * The fields above a list. They are the query of the page's address; a number of a
 * page goes when what is looked for is another one.
 * @param {{filters: Filter[], children?: unknown}} props
 */
export function Filters({filters, children}) {
  const {query} = route.value
  const apply = (/** @type {Event} */ e) => {
    e.preventDefault()
    const form = /** @type {HTMLElement} */ (e.currentTarget).closest('form')
    const given = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form ?? undefined)))
    refine(Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value.trim()])))
  }
  return html`
    <form class="filters" role="search" onSubmit=${apply} key=${JSON.stringify(filters.map(f => query[f.name]))}>
      ${filters.map(f => html`
        <label key=${f.name}><span>${f.label}</span>
          ${f.options
            ? html`<select name=${f.name} onChange=${apply}>${[['', 'Any'], ...f.options].map(([value, label]) => html`<option key=${value} value=${value} selected=${value === (query[f.name] ?? '')}>${label}</option>`)}</select>`
            : html`<input name=${f.name} type="search" inputmode=${f.type === 'number' ? 'numeric' : undefined} pattern=${f.type === 'number' ? '[0-9]*' : undefined}
                maxlength=${f.most ?? 64} defaultValue=${query[f.name] ?? ''} autocomplete="off" autocapitalize="off" spellcheck=${false} />`}
        </label>`)}
      <button>Search</button>
      ${children}
    </form>`
}
