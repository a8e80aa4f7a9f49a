/** Requests to the demo's server, with the token that follows # in the page's address. */

const TOKEN = location.hash.slice(1);

/** A refusal or failure, worded for the visitor. */
export class PanelError extends Error {}

/** GET `path`, or POST a FormData to it; returns the response. Throws PanelError. */
async function request(path, form) {
  let response;
  try {
    response = await fetch(`/panel/api/${path}`, {
      method: form ? "POST" : "GET",
      body: form,
      headers: { "X-Easel-Token": TOKEN },
      cache: "no-store",
    });
  } catch {
    throw new PanelError("The demo doesn’t answer. Is it still running?");
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new PanelError(answer.error ?? "Something went wrong. The demo’s terminal shows more.");
}

export const requestJson = async (path, form) => (await request(path, form)).json();
export const requestImage = async (path) => (await request(path)).blob();
