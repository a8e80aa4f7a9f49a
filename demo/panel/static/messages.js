/** The list of messages to choose one from, with small pictures. */

import { make } from "./make.js";
import { picture } from "./server.js";

const SHOWN_PICTURES = 3;

/** How many pictures there are, for those who do not see them. */
function counted(number) {
  return number ? make("span", { className: "hidden" }, number === 1 ? "one picture" : `${number} pictures`) : null;
}

/** A radio list in `box`; `changed` is called when another message is chosen. */
export function createMessages(box, changed) {
  const pictures = new Map();
  let lines = [];
  let shown = "";
  let chosen = "";

  function thumbnail(path) {
    if (!pictures.has(path)) {
      pictures.set(path, picture(path).then((blob) => URL.createObjectURL(blob)));
      pictures.get(path).catch(() => pictures.delete(path));
    }
    const image = make("img", { alt: "" });
    pictures.get(path).then((url) => { image.src = url; }, () => image.remove());
    return image;
  }

  function row(line, member) {
    const radio = make("input", { type: "radio", name: "message", value: line.id, checked: line.id === chosen });
    if (!line.id) return make("label", { className: "message none" }, radio, make("span", {}, line.text));
    const count = Math.min(line.pictures, SHOWN_PICTURES);
    const thumbnails = Array.from({ length: count }, (_, number) => thumbnail(`pictures/${member}/${line.id}/${number}`));
    const more = line.pictures > count ? [make("span", { className: "more" }, `+${line.pictures - count}`)] : [];
    const words = line.text || (line.pictures ? "" : "no text");
    const said = make("span", { className: "said" },
      make("strong", {}, line.author), line.bot ? make("em", {}, "APP") : null, make("span", { className: "words" }, words));
    return make("label", { className: "message" }, radio, said,
      make("span", { className: "thumbnails" }, counted(line.pictures), ...thumbnails, ...more));
  }

  box.addEventListener("change", (event) => {
    chosen = event.target.value;
    changed();
  });

  return {
    /** Show what the server told; the choice stays where it was as long as its message does. */
    update(told) {
      const key = JSON.stringify([told.member, told.messages]);
      if (key === shown) return;
      shown = key;
      lines = [{ id: "", text: "None: say something new", pictures: 0 }, ...told.messages];
      if (!lines.some((line) => line.id === chosen)) chosen = "";
      const focused = box.contains(document.activeElement) ? document.activeElement.value : null;
      box.replaceChildren(...lines.map((line) => row(line, told.member)));
      if (focused !== null) [...box.querySelectorAll("input")].find((radio) => radio.value === focused)?.focus();
      changed();
    },
    choose(id) {
      chosen = id;
      for (const radio of box.querySelectorAll("input")) radio.checked = radio.value === id;
      changed();
    },
    /** The chosen message, or null for none. */
    get chosen() { return lines.find((line) => line.id && line.id === chosen) ?? null; },
  };
}
