/* A button `[data-copy]` copies the value of the field with that id. It is hidden where scripts do not run. */

const SAID_FOR_MS = 2_000;

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const words = button.querySelector("[data-copy-words]");
  const usual = words.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      words.textContent = "Copied";
    } catch {
      // Without permission the text is selected, ready for the keys.
      words.textContent = "Selected";
    }
    setTimeout(() => { words.textContent = usual; }, SAID_FOR_MS);
  });
}
