/** The list of messages to choose from, with thumbnails of their images. */

import { requestImage } from "./api.js";
import { create } from "./dom.js";

const THUMBNAILS_MAX = 3;

/** A radio list in `box`; `onChange` is called when another message is chosen. */
export function createMessages(box, onChange) {
  const urls = new Map();
  let messages = [];
  let shown = "";
  let chosen = "";

  function thumbnail(path) {
    if (!urls.has(path)) {
      urls.set(path, requestImage(path).then((blob) => URL.createObjectURL(blob)));
      urls.get(path).catch(() => urls.delete(path));
    }
    const image = create("img", { alt: "" });
    urls.get(path).then((url) => { image.src = url; }, () => image.remove());
    return image;
  }

  function row(message, member) {
    const radio = create("input", { type: "radio", name: "message", value: message.id, checked: message.id === chosen });
    if (!message.id) return create("label", { className: "message" }, radio, create("span", {}, message.text));
    const count = Math.min(message.images, THUMBNAILS_MAX);
    const label = message.images ? create("span", { className: "hidden" }, `Images: ${message.images}`) : null;
    const thumbnails = Array.from({ length: count }, (_, number) => thumbnail(`images/${member}/${message.id}/${number}`));
    const more = message.images > count ? create("span", { className: "more" }, `+${message.images - count}`) : null;
    const text = message.text || (message.images ? "" : "no text");
    return create("label", { className: "message" }, radio,
      create("span", { className: "summary" }, create("strong", {}, message.author),
        message.bot ? create("em", {}, "APP") : null, create("span", { className: "excerpt" }, text)),
      create("span", { className: "thumbnails" }, label, ...thumbnails, more));
  }

  box.addEventListener("change", (event) => {
    chosen = event.target.value;
    onChange();
  });

  return {
    /** Show the server's state; the choice stays as long as its message is listed. */
    update(state) {
      const key = JSON.stringify([state.member, state.messages]);
      if (key === shown) return;
      shown = key;
      messages = [{ id: "", text: "None: send a new message" }, ...state.messages];
      if (!messages.some((message) => message.id === chosen)) chosen = "";
      const focused = box.contains(document.activeElement) ? document.activeElement.value : null;
      box.replaceChildren(...messages.map((message) => row(message, state.member)));
      if (focused !== null) [...box.querySelectorAll("input")].find((radio) => radio.value === focused)?.focus();
      onChange();
    },
    /** The chosen message, or null for none. */
    get chosen() { return messages.find((message) => message.id && message.id === chosen) ?? null; },
  };
}
