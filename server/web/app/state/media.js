// Camera and microphone.

/** What a refusal of the browser's means, and what to do. @type {Record<string, string>} */
const REFUSALS = {
  NotAllowedError: 'The browser does not let this page use the microphone or camera. Allow it in the address bar, and call again.',
  NotFoundError: 'No microphone was found. Connect one, and call again.',
  NotReadableError: 'Another program uses the microphone or camera. Close it, and call again.',
}

/**
 * Opens the microphone, and for a video call the camera if there is one.
 * @param {boolean} video
 * @returns {Promise<MediaStream>}
 */
export async function openMedia(video) {
  if (!navigator.mediaDevices) throw new Error('Calls need a secure page. Open this server by https, or on this machine as localhost.')
  try {
    return await navigator.mediaDevices.getUserMedia({audio: true, video: video && {width: {ideal: 1280}, height: {ideal: 720}}})
  } catch (e) {
    const name = /** @type {DOMException} */ (e).name
    if (video && name === 'NotFoundError') return openMedia(false)
    throw new Error(REFUSALS[name] ?? 'The microphone or camera cannot be used. Check them, and call again.')
  }
}

export function closeMedia(/** @type {MediaStream | null} */ stream) {
  for (const track of stream?.getTracks() ?? []) track.stop()
}
