/** Dialogs: who asks, and help. */
import { fill, h, write } from "./dom.js";
import { explain } from "./format.js";

/**
 * Opens a dialog, which is gone from the document once it is closed.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {import("./dom.js").Child[]} options.body
 * @param {HTMLElement[]} options.actions
 * @param {() => boolean | void} options.onSubmit returns whether the dialog is done
 * @param {HTMLElement} [options.first] to have the focus
 */
export function openDialog({ title, body, actions, onSubmit, first }) {
  document.querySelector("dialog")?.close();
  const dialog = h("dialog", { "aria-label": title, on: { close: () => dialog.remove() } });
  const close = h("button", { type: "button", class: "quiet square", "aria-label": "Close", on: { click: () => dialog.close() } }, "✕");
  const form = h(
    "form",
    {
      on: {
        submit: (/** @type {Event} */ event) => {
          event.preventDefault();
          if (onSubmit()) dialog.close();
        },
      },
    },
    h("header", {}, h("h2", {}, title), close),
    h("div", { class: "dialog-body" }, ...body),
    actions.length > 0 && h("footer", {}, ...actions),
  );
  dialog.append(form);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  first?.focus();
  return dialog;
}

/**
 * Asks for tenant and token.
 *
 * @param {import("./session.js").Session} session
 * @param {string} [why] it is asked
 */
export function openSignIn(session, why = "") {
  const tenant = h("input", { class: "mono", value: session.tenant, spellcheck: "false", autocomplete: "off", required: true });
  const token = h("input", {
    type: "password",
    class: "mono",
    autocomplete: "off",
    placeholder: session.signed ? "unchanged" : "none",
  });
  const remember = h("input", { type: "checkbox", checked: session.remembered });
  const told = h("p", { class: why ? "told bad" : "told", role: "alert" }, why);
  const asks = session.settings.auth !== "none";
  const forget = h(
    "button",
    {
      type: "button",
      on: {
        click: () => {
          session.forget();
          dialog.close();
        },
      },
    },
    "Forget the token",
  );
  forget.hidden = !session.signed;
  const dialog = openDialog({
    title: "Tenant and token",
    body: [
      h("label", { class: "field" }, h("span", { class: "label" }, "Tenant"), tenant),
      h("label", { class: "field" }, h("span", { class: "label" }, "Token"), token),
      h(
        "p",
        { class: "hint" },
        asks ? "This edge wants a token; " : "This edge lets everybody in; ",
        "a token stays in this tab's memory and is sent in a header, never in an address. ",
      ),
      h("label", { class: "check" }, remember, "Keep it in this tab until it is closed (sessionStorage)"),
      told,
    ],
    actions: [forget, h("button", { type: "submit", class: "primary" }, "Use")],
    onSubmit: () => {
      try {
        session.change({
          tenant: tenant.value.trim(),
          token: token.value.trim() || session.readToken(),
          remember: remember.checked,
        });
        return true;
      } catch (error) {
        told.className = "told bad";
        write(told, explain(error));
        return false;
      }
    },
    first: why ? token : tenant,
  });
}

/**
 * @param {{keys: string, words: string}[]} shortcuts
 * @param {{on: boolean}} switched whether they are in effect
 */
export function openHelp(shortcuts, switched) {
  const check = h("input", {
    type: "checkbox",
    checked: switched.on,
    on: {
      change: () => {
        switched.on = check.checked;
      },
    },
  });
  const rows = h("dl", { class: "keys" });
  fill(
    rows,
    shortcuts.map(({ keys, words }) => h("div", {}, h("dt", {}, ...keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, words))),
  );
  openDialog({
    title: "Help and shortcuts",
    body: [
      rows,
      h("label", { class: "check" }, check, "Single keys are shortcuts"),
      h(
        "p",
        { class: "hint" },
        "Pausing stops the reading: the edge keeps nothing for this page, and what came meanwhile is read afterwards. ",
        "A pattern has * for one token and > for the rest.",
      ),
    ],
    actions: [],
    onSubmit: () => true,
  });
}
