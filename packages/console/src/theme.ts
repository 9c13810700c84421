/**
 * Light or dark: as the system has it, until somebody chooses; the choice is kept in this browser.
 */

const KEY = 'allocdb.theme';

/** Sets the theme, and lets the button change it; `onChange` is for what is painted by script. */
export function initTheme(button: HTMLButtonElement, onChange: () => void): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const apply = (): void => {
    const isDark = (localStorage.getItem(KEY) ?? (system.matches ? 'dark' : 'light')) === 'dark';
    document.documentElement.dataset['theme'] = isDark ? 'dark' : 'light';
    button.setAttribute('aria-pressed', String(isDark));
    onChange();
  };
  system.addEventListener('change', apply);
  button.addEventListener('click', () => {
    localStorage.setItem(KEY, document.documentElement.dataset['theme'] === 'dark' ? 'light' : 'dark');
    apply();
  });
  apply();
}

/** A colour of the style sheet as it is now. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
