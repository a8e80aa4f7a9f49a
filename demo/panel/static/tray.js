/** The pictures that wait to be sent with a message. */

import { make } from "./make.js";

const LARGEST = 10 * 1024 * 1024;

/** A list of files shown in `list`; `complain` takes a sentence when one does not fit. */
export function createTray(list, complain) {
  let files = [];
  let most = 8;

  function show() {
    for (const image of list.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    list.replaceChildren(...files.map((file) => {
      const remove = make("button", { type: "button", className: "remove", "aria-label": `Remove ${file.name}` }, "×");
      remove.addEventListener("click", () => {
        files = files.filter((other) => other !== file);
        show();
        (list.querySelector(".remove") ?? document.getElementById("files")).focus();
      });
      return make("li", { title: file.name }, make("img", { src: URL.createObjectURL(file), alt: file.name }), remove);
    }));
  }

  return {
    limit(number) { most = number; },
    add(more) {
      for (const file of more) {
        if (files.length >= most) {
          complain(`At most ${most} pictures fit on a message.`);
          break;
        }
        if (file.size > LARGEST) complain(`${file.name} is larger than 10 MiB, Discord’s limit.`);
        else files.push(file);
      }
      show();
    },
    clear() { files = []; show(); },
    get files() { return files; },
  };
}
