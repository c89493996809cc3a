// A double click sends a form that creates something twice, and the browser shows the second answer alone,
// which has no secret. So such a form is sent once, until its page is shown again or nothing has come for long.
(() => {
  const patience = 30_000; // milliseconds
  const sent = new Set();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.elements.namedItem("form_id")) return;
    if (sent.has(form)) {
      event.preventDefault();
      return;
    }
    sent.add(form);
    setTimeout(() => sent.delete(form), patience);
  });
  addEventListener("pageshow", () => sent.clear());
})();
