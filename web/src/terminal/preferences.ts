/** What an operator has chosen for terminals in this browser. */
import { useLocalStorage } from '@mantine/hooks';

export interface TerminalPreferences {
  readonly fontSize: number;
  readonly screenReader: boolean;
}

export const FONT_SIZES = { min: 9, max: 28 } as const;
export const PREFERENCES_KEY = 'longwire.terminal';

export function defaultPreferences(viewportWidth: number): TerminalPreferences {
  return { fontSize: viewportWidth < 600 ? 12 : 14, screenReader: false };
}

/** Reads what was stored, whoever stored it; anything odd falls back to the default. */
export function parsePreferences(
  stored: string | undefined,
  fallback: TerminalPreferences,
): TerminalPreferences {
  let value: unknown;
  try {
    value = JSON.parse(stored ?? '');
  } catch {
    return fallback;
  }
  if (typeof value !== 'object' || value === null) return fallback;
  const { fontSize, screenReader } = value as Record<string, unknown>;
  return {
    fontSize:
      typeof fontSize === 'number' && fontSize >= FONT_SIZES.min && fontSize <= FONT_SIZES.max
        ? Math.round(fontSize)
        : fallback.fontSize,
    screenReader: typeof screenReader === 'boolean' ? screenReader : fallback.screenReader,
  };
}

export function useTerminalPreferences() {
  const fallback = defaultPreferences(window.innerWidth);
  return useLocalStorage<TerminalPreferences>({
    key: PREFERENCES_KEY,
    defaultValue: fallback,
    getInitialValueInEffect: false,
    deserialize: (stored) => parsePreferences(stored, fallback),
  });
}
