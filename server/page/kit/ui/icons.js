// Icons, drawn as lines in the colour of the text beside them.
import {html} from '../lib.js'

/** @param {string} d the path; @param {string} [extra] a second one */
const icon = (d, extra) => () => html`
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${d} />${extra && html`<path d=${extra} />`}
  </svg>`

/** The mark of the program, as in icon.svg. */
export const Mark = () => html`
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="9" />
    <path class="sheet" d="M8 9.5h16a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H15l-5 4v-4H8a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2z" /><path class="lines" d="M10.5 14h11M10.5 17.5h7" /></svg>`

export const Back = icon('M15 5l-7 7 7 7')
export const Search = icon('M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14z', 'M16 16l4.5 4.5')
export const Close = icon('M6 6l12 12M18 6L6 18')
export const Send = icon('M4 12l16-7.5-5 16-3.5-6.5L4 12z', 'M11.5 14L20 4.5')
export const Attach = icon('M19.5 11.5l-7.6 7.6a4.6 4.6 0 0 1-6.5-6.5l8-8a3 3 0 0 1 4.3 4.3l-8 8a1.5 1.5 0 0 1-2.2-2.1l7.2-7.2')
export const Phone = icon('M5 4h3.5l1.7 4.4-2.1 1.5a11.5 11.5 0 0 0 6 6l1.5-2.1 4.4 1.7V19a1.6 1.6 0 0 1-1.7 1.6A15.7 15.7 0 0 1 3.4 5.7 1.6 1.6 0 0 1 5 4z')
export const HangUp = icon('M3 14.5c0-3.2 4-5.5 9-5.5s9 2.3 9 5.5c0 1-.6 1.5-1.5 1.4l-3-.5c-.7-.1-1.2-.6-1.2-1.3v-1.6c-2-.6-4.6-.6-6.6 0v1.6c0 .7-.5 1.2-1.2 1.3l-3 .5c-.9.1-1.5-.4-1.5-1.4z')
export const Video = icon('M4.5 7h9A1.5 1.5 0 0 1 15 8.5v7a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 3 15.5v-7A1.5 1.5 0 0 1 4.5 7z', 'M15 11l6-3.5v9L15 13')
export const VideoOff = icon('M4.5 7h9A1.5 1.5 0 0 1 15 8.5v7a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 3 15.5v-7A1.5 1.5 0 0 1 4.5 7zM15 11l6-3.5v9L15 13', 'M3 3l18 18')
export const Mic = icon('M12 3.5a2.8 2.8 0 0 0-2.8 2.8v5a2.8 2.8 0 0 0 5.6 0v-5A2.8 2.8 0 0 0 12 3.5z', 'M5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21')
export const MicOff = icon('M12 3.5a2.8 2.8 0 0 0-2.8 2.8v5a2.8 2.8 0 0 0 5.6 0v-5A2.8 2.8 0 0 0 12 3.5zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21', 'M3 3l18 18')
export const People = icon('M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM2.5 20c0-3.6 2.9-5.5 6.5-5.5s6.5 1.9 6.5 5.5', 'M16 5.5a3.2 3.2 0 0 1 0 6M18 14.8c2 .7 3.5 2.4 3.5 5.2')
export const NewGroup = icon('M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM2.5 20c0-3.6 2.9-5.5 6.5-5.5 2 0 3.8.600 5 1.8', 'M19 13v7M15.5 16.5h7')
export const More = icon('M6 12h.01M12 12h.01M18 12h.01')
export const Down = icon('M12 5v14M6 13l6 6 6-6')
export const Up = icon('M12 19V5M6 11l6-6 6 6')
export const Download = icon('M12 4v11M7 11l5 5 5-5', 'M5 20h14')
export const Document = icon('M7 3.5h7l4.5 4.5v12.5H7z', 'M14 3.5V8h4.5')
export const Check = icon('M5 12.5l4.5 4.5L19 7')
export const Checks = icon('M2 12.5l4.5 4.5L16 7', 'M11.5 16.5l.5.5L22 7')
export const Clock = icon('M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z', 'M12 7.5V12l3 2')
export const Alert = icon('M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z', 'M12 8v5M12 16h.01')
export const Chat = icon('M5 5.5h14A1.5 1.5 0 0 1 20.5 7v8.5A1.5 1.5 0 0 1 19 17h-7l-5 3.5V17H5a1.5 1.5 0 0 1-1.5-1.5V7A1.5 1.5 0 0 1 5 5.5z')
