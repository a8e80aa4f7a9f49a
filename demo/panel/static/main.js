/** The panel: who you are, which message, and what you do with it. */

import { PanelError, requestImage, requestJson } from "./api.js";
import { createAttachments } from "./attachments.js";
import { create } from "./dom.js";
import { createMessages } from "./messages.js";
import { createModal } from "./modal.js";

const REFRESH_MS = 1500;
const FOLLOW_MS = 300;
const AT_END_PX = 120;
const $ = (id) => document.getElementById(id);

let state = null;
let member = null;

/** What the channel's own page says when something went wrong, and what we say then. */
const TROUBLES = [
  [/uncertain|ended|unavailable/i, "The channel’s page has stopped. Reload this page to go on."],
  [/interrupted/i, "The demo doesn’t answer. It may have ended."],
  [/not completed/i, "That didn’t work. Please try again."],
];

const messages = createMessages($("messages"), showChoice);
const attachments = createAttachments($("attached"), showError);
const modal = createModal(showResult);

function showError(sentence) {
  if ($("result").textContent !== sentence) $("result").replaceChildren(create("p", { className: "bad" }, sentence));
}

function showResult(result) {
  const quotes = result.private.map((text) => create("blockquote", {}, text));
  $("result").replaceChildren(create("p", { className: "good" }, result.note), ...quotes);
  if (!quotes.length) showPanel(false);
}

/** Run an action with these buttons disabled, and show its error. */
async function run(buttons, action) {
  for (const button of buttons) button.disabled = true;
  try {
    await action();
  } catch (error) {
    if (!(error instanceof PanelError)) throw error;
    showError(error.message);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
  showChoice();
}

function showChoice() {
  if (!state) return;
  const { chosen } = messages;
  const { bot, apps } = state;
  $("send-title").textContent = chosen ? `Reply to ${chosen.author}` : "Send a message";
  $("text").placeholder = chosen ? "make it snow" : "a red fox in snow";
  $("mention-label").textContent = `Mention @${bot}` + (chosen?.bot ? "; without it, words alone are asked about" : "");
  $("apps-hint").textContent = !apps.length ? `${bot} has no message commands.`
    : chosen ? `For ${chosen.author}’s message, as in its right-click menu.` : "Choose a message above first.";
  for (const button of $("apps").children) button.disabled = !chosen;
}

/** Fill in what never changes. */
function showStart() {
  attachments.limit(state.imagesMax);
  $("members").replaceChildren(...state.members.map(({ id, name }) => create("label", { className: "chip" },
    create("input", { type: "radio", name: "member", value: id, checked: id === state.member }),
    create("span", {}, name))));
  $("samples").append("or sample: ", ...state.samples.map((name) => {
    const button = create("button", { type: "button", className: "link" }, name);
    button.addEventListener("click", () => run([button], async () => {
      attachments.add([new File([await requestImage(`samples/${name}`)], `${name}.png`, { type: "image/png" })]);
    }));
    return button;
  }));
  $("preview").src = state.preview;
}

async function refresh() {
  const asked = member;
  const answer = await requestJson(asked ? `state?member=${asked}` : "state");
  if (asked !== member) return;
  const first = !state;
  state = answer;
  member = state.member;
  if (first) showStart();
  if ([...$("apps").children].map((button) => button.value).join("\n") !== state.apps.join("\n")) {
    $("apps").replaceChildren(...state.apps.map((name) => create("button", { className: "button quiet", value: name }, name)));
  }
  messages.update(state);
  showChoice();
}

/** The channel's page shows what its viewer may see: that is whoever the visitor is here. */
function followMember() {
  const channel = $("preview").contentDocument;
  const picker = channel?.getElementById("viewer-picker");
  if (member && picker && picker.value !== member && [...picker.options].some(({ value }) => value === member)) {
    picker.value = member;
    picker.dispatchEvent(new Event("change"));
  }
  const status = channel?.getElementById("action-status")?.textContent ?? "";
  $("trouble").textContent = TROUBLES.find(([pattern]) => pattern.test(status))?.[1] ?? "";
}

/** As Discord does, show the newest message unless the visitor has scrolled up, also when images grow as they load. */
function followNewest() {
  const channel = $("preview").contentDocument;
  const [timeline, list] = ["channel-timeline", "channel-message-list"].map((id) => channel.getElementById(id));
  let atEnd = true;
  const toEnd = () => { if (atEnd) timeline.scrollTop = timeline.scrollHeight; };
  for (const kind of ["wheel", "touchmove", "keyup", "pointerup"]) {
    timeline.addEventListener(kind, () => setTimeout(() => {
      atEnd = timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight < AT_END_PX;
    }, 200), { passive: true });
  }
  channel.getElementById("channel-composer").addEventListener("submit", () => { atEnd = true; toEnd(); }, true);
  const view = channel.defaultView;
  for (const box of [timeline, list]) new view.ResizeObserver(toEnd).observe(box);
  new view.MutationObserver(toEnd).observe(list, { childList: true, subtree: true });
}
/** On a phone a command's description would widen the composer, and with it the page. */
function keepComposerNarrow() {
  const composer = $("preview").contentDocument.getElementById("channel-composer");
  if (composer) composer.style.gridTemplateColumns = "minmax(0, 1fr)";
}
$("preview").addEventListener("load", () => {
  keepComposerNarrow();
  if (state) followNewest();
});

async function keepRefreshing() {
  for (;;) {
    try {
      if (!document.hidden) await refresh();
    } catch (error) {
      if (!(error instanceof PanelError)) throw error;
      showError(error.message);
      if (!state) return;
    }
    await new Promise((resolve) => { setTimeout(resolve, REFRESH_MS); });
  }
}

function formWith(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

$("members").addEventListener("change", (event) => {
  member = event.target.value;
  followMember();
  $("result").replaceChildren();
  void run([], refresh);
});

$("files").addEventListener("change", () => {
  attachments.add($("files").files);
  $("files").value = "";
});

$("text").addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) attachments.add(event.clipboardData.files);
});

$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("send").requestSubmit();
});

$("send").addEventListener("submit", (event) => {
  event.preventDefault();
  void run([$("send").querySelector("[type=submit]")], async () => {
    const mention = $("mention").checked ? "yes" : "no";
    const form = formWith({ member, reply_to: messages.chosen?.id ?? "", text: $("text").value, mention });
    for (const file of attachments.files) form.append("images", file, file.name);
    showResult(await requestJson("messages", form));
    $("text").value = "";
    attachments.clear();
    await refresh();
  });
});

$("apps").addEventListener("click", (event) => {
  if (!(event.target instanceof HTMLButtonElement)) return;
  void run([...$("apps").children], async () => {
    const form = formWith({ member, message: messages.chosen?.id ?? "", app: event.target.value });
    const result = await requestJson("apps", form);
    if (result.modal) modal.open(result);
    else showResult(result);
  });
});

/** On a phone one button switches between the channel and the panel. */
function showPanel(open) {
  document.body.classList.toggle("panel-open", open);
  $("to-panel").textContent = open ? "Back to the channel" : "Images and Apps";
}
$("to-panel").addEventListener("click", () => showPanel(!document.body.classList.contains("panel-open")));

setInterval(followMember, FOLLOW_MS);
void keepRefreshing();
