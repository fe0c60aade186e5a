/** Light or dark: the system's choice until somebody makes another. */

import { computed, effect, signal } from "@preact/signals";

export type Theme = "light" | "dark";

const KEY = "fervid.theme"; // public/theme.js reads it before the first paint
const system = window.matchMedia("(prefers-color-scheme: dark)");
const systemTheme = signal<Theme>(system.matches ? "dark" : "light");
const chosenTheme = signal<Theme | null>(readChoice());

/** The theme that is shown. */
export const theme = computed<Theme>(() => chosenTheme.value ?? systemTheme.value);

function readChoice(): Theme | null {
  const choice = document.documentElement.dataset.theme;
  return choice === "light" || choice === "dark" ? choice : null;
}

/** Show the other theme; where that is what the system wants, the choice is forgotten and the system is followed. */
export function toggleTheme(): void {
  const next: Theme = theme.value === "dark" ? "light" : "dark";
  chosenTheme.value = next === systemTheme.value ? null : next;
}

/** Keep the page, the storage and the system in step. */
export function startTheme(): void {
  system.addEventListener("change", (event) => {
    systemTheme.value = event.matches ? "dark" : "light";
  });
  effect(() => {
    const choice = chosenTheme.value;
    if (choice === null) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    try {
      if (choice === null) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, choice);
    } catch {
      // Storage may be forbidden; the choice then lasts as long as the page.
    }
  });
}
