"use strict";
// The tables of a policy: more lines on a button, and names of facts and features completed while one types.

function addLine(editor) {
  const lines = editor.querySelectorAll("[data-line]");
  const last = lines[lines.length - 1];
  const count = editor.querySelector("[data-count]");
  const number = Number(count.value);
  const copy = last.cloneNode(true);
  copy.removeAttribute("data-faulty");
  copy.querySelectorAll(".policy-faults").forEach((told) => told.remove());
  copy.querySelectorAll("[name]").forEach((field) => {
    field.name = field.name.replace(/-\d+-/, `-${number}-`);
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
    if (field.type === "checkbox") field.checked = false;
    else if (field.tagName === "SELECT") field.selectedIndex = 0;
    else field.value = "";
  });
  const legend = copy.querySelector("legend");
  if (legend) legend.textContent = legend.textContent.replace(/\d+/, number + 1);
  last.after(copy);
  count.value = number + 1;
  copy.querySelectorAll("[data-completes]").forEach(complete);
  copy.querySelector("input, select, textarea").focus();
}

let known = [];
let boxes = 0;

function knownHere() {
  const segment = document.getElementById("id_segment");
  return segment && segment.value ? known.filter((one) => one.segments.includes(segment.value)) : known;
}

function wordBefore(field) {
  return /[A-Za-z_]\w*$/.exec(field.value.slice(0, field.selectionStart))?.[0] || "";
}

function complete(field) {
  const list = document.createElement("ul");
  list.id = `policy-completion-${++boxes}`;
  list.className = "policy-completion";
  list.setAttribute("role", "listbox");
  list.hidden = true;
  field.nextElementSibling?.classList.contains("policy-completion") && field.nextElementSibling.remove();
  field.after(list);
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", list.id);
  field.setAttribute("aria-expanded", "false");
  let chosen = -1;

  const close = () => {
    list.hidden = true;
    chosen = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const mark = (place) => {
    const options = [...list.children];
    chosen = (place + options.length) % options.length;
    options.forEach((option, n) => option.setAttribute("aria-selected", n === chosen));
    options[chosen].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", options[chosen].id);
  };
  const take = (name) => {
    const end = field.selectionStart;
    field.setRangeText(name, end - wordBefore(field).length, end, "end");
    close();
    field.focus();
  };
  const open = () => {
    const word = wordBefore(field).toLowerCase();
    const found = word.length ? knownHere().filter((one) => one.name !== word && one.name.includes(word)) : [];
    found.sort((a, b) => b.name.startsWith(word) - a.name.startsWith(word) || a.name.localeCompare(b.name));
    list.replaceChildren();
    if (!found.length) return close();
    found.slice(0, 12).forEach((one, n) => {
      const option = document.createElement("li");
      option.id = `${list.id}-${n}`;
      option.setAttribute("role", "option");
      option.textContent = [one.name, one.label || one.type].join(" · ");
      option.dataset.name = one.name;
      option.addEventListener("mousedown", (event) => {
        event.preventDefault();
        take(one.name);
      });
      list.append(option);
    });
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    mark(0);
  };

  field.addEventListener("input", open);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown") mark(chosen + 1);
    else if (event.key === "ArrowUp") mark(chosen - 1);
    else if (event.key === "Enter" || event.key === "Tab") take(list.children[chosen].dataset.name);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
}

document.addEventListener("DOMContentLoaded", () => {
  const names = document.getElementById("policy-names");
  if (names) known = JSON.parse(names.textContent);
  document.querySelectorAll("[data-policy-editor]").forEach((editor) => {
    editor.querySelectorAll("[data-completes]").forEach(complete);
    const add = editor.querySelector("[data-add]");
    add.hidden = false;
    add.addEventListener("click", () => addLine(editor));
  });
});
