/** A modal that the bot opened, shown as a dialog. */

import { PanelError, requestJson } from "./api.js";
import { create } from "./dom.js";

const ROW = 1, SELECT = 3, TEXT = 4, NOTE = 10, LABEL = 18, FILES = 19, BOXES = 22, PARAGRAPH = 2;

/** The fields and notes of Discord's modal from top to bottom, out of their labels and rows. */
function flatten(components) {
  return components.flatMap((component) => {
    if (component.type === ROW) return component.components;
    if (component.type === LABEL) {
      return { ...component.component, label: component.label, description: component.description };
    }
    return component;
  });
}

function control(field, id) {
  const common = { id, name: field.custom_id, required: field.required ?? true };
  const max = field.max_values ?? 1;
  switch (field.type) {
    case TEXT: {
      const properties = { ...common, placeholder: field.placeholder ?? "", value: field.value ?? "",
        minLength: field.min_length ?? 0, maxLength: field.max_length ?? 4000 };
      return field.style === PARAGRAPH ? create("textarea", { ...properties, rows: 4 })
        : create("input", { ...properties, type: "text", autocomplete: "off" });
    }
    case SELECT: {
      const options = field.options.map((option) => create("option", {
        value: option.value, selected: option.default, title: option.description,
      }, option.label));
      const none = max === 1 && !field.options.some((option) => option.default);
      const empty = none ? [create("option", { value: "", selected: true }, field.placeholder ?? "Choose")] : [];
      return create("select", { ...common, multiple: max > 1 }, ...empty, ...options);
    }
    case BOXES: {
      const boxes = field.options.map((option) => create("label", { className: "check" },
        create("input", { type: "checkbox", name: field.custom_id, value: option.value, checked: option.default ?? false }),
        create("span", {}, option.label, create("small", {}, option.description ?? ""))));
      return create("div", { id, required: common.required }, ...boxes);
    }
    case FILES: {
      const input = create("input", { ...common, type: "file", multiple: max > 1 });
      input.addEventListener("change", () => {
        input.setCustomValidity(input.files.length > max ? `You can attach up to ${max} files.` : "");
      });
      return input;
    }
    default:
      return create("p", { className: "unknown", id }, "The demo can’t show this kind of field.");
  }
}

function row(field, number) {
  if (field.type === NOTE) return create("p", { className: "note" }, field.content ?? "");
  const id = `field-${number}`;
  const input = control(field, id);
  const star = input.required ? create("span", { className: "star", "aria-hidden": "true" }, " *") : null;
  const hint = field.description ? create("small", { id: `${id}-hint` }, field.description) : null;
  if (hint) input.setAttribute("aria-describedby", hint.id);
  return create("div", { className: "field" }, create("label", { htmlFor: id }, field.label ?? "", star), hint, input);
}

/** A dialog for modals; `done` takes what the server answered to a submitted one. */
export function createModal(done) {
  const [dialog, form, fields, problem, title] = ["dialog", "form", "fields", "problem", "dialog-title"]
    .map((id) => document.getElementById(id));
  let handle = "";

  for (const id of ["dialog-close", "dialog-cancel"]) {
    document.getElementById(id).addEventListener("click", () => dialog.close());
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    problem.textContent = "";
    try {
      const result = await requestJson(`modals/${encodeURIComponent(handle)}`, new FormData(form));
      dialog.close();
      done(result);
    } catch (error) {
      if (!(error instanceof PanelError)) throw error;
      problem.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  });

  return {
    open(result) {
      handle = result.handle;
      title.textContent = result.modal.title;
      problem.textContent = "";
      fields.replaceChildren(...flatten(result.modal.components).map(row));
      dialog.showModal();
      fields.querySelector("textarea, input, select")?.focus();
    },
  };
}
