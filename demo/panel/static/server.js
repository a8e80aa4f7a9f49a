/** The demo's server, asked with the token that stands after # in the page's address. */

const TOKEN = location.hash.slice(1);
const LOST = "The demo does not answer. Is it still running?";

/** A refusal, worded for the visitor. */
export class Refused extends Error {}

/** Ask for, or with a FormData send, what is at `path`; returns the response. Throws Refused. */
async function ask(path, form) {
  let response;
  try {
    response = await fetch(`/panel/api/${path}`, {
      method: form ? "POST" : "GET",
      body: form,
      headers: { "X-Easel-Token": TOKEN },
      cache: "no-store",
    });
  } catch {
    throw new Refused(LOST);
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Refused(told.error ?? "Something broke in the demo. Its terminal tells more.");
}

/** What is at `path`, as JSON; with a FormData, what came of sending it. */
export const tell = async (path, form) => (await ask(path, form)).json();

/** The picture at `path`, as a Blob. */
export const picture = async (path) => (await ask(path)).blob();
