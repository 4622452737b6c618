// Comfort only: every page works without it, and every rule is kept by the server.
"use strict";

// One press sends one form. (A second would be recognised by its key anyway.)
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) {
    event.preventDefault();
    return;
  }
  event.target.dataset.sent = "yes";
  for (const button of event.target.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
});

// Back from the browser's memory: the form may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  }
});

// The reading time of an offer, counted down in words that come with the page.
for (const box of document.querySelectorAll("[data-seconds]")) {
  let left = Number(box.dataset.seconds);
  const tick = () => {
    box.textContent = left > 0 ? box.dataset.wait.replace("{}", left) : box.dataset.ready;
    if (left-- > 0) setTimeout(tick, 1000);
  };
  tick();
}

// After a refused form: the summary of what is wrong is read out first.
document.querySelector("[data-problems]")?.focus();
