// Runs before the first paint, so that a chosen theme does not flash; src/app/theme.ts keeps the choice.
(() => {
  try {
    const choice = localStorage.getItem("fervid.theme");
    if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
  } catch {
    // Storage may be forbidden; the system's theme stays.
  }
})();
