import type { ISearchDecorationOptions } from '@xterm/addon-search';
import type { ITheme } from '@xterm/xterm';

export interface Palette {
  readonly theme: ITheme;
  readonly search: ISearchDecorationOptions;
}

/** The terminal's colours beside the page's own; every one readable on its background. */
const darkTheme: ITheme = {
  background: '#100f0e',
  foreground: '#e9e4dc',
  cursor: '#ec9a6b',
  cursorAccent: '#100f0e',
  selectionBackground: '#5a4030cc',
  selectionInactiveBackground: '#8a4a26cc',
  black: '#2b2824',
  red: '#f2756b',
  green: '#8cc570',
  yellow: '#e3b866',
  blue: '#7fa9e8',
  magenta: '#cf94d8',
  cyan: '#6fc3c1',
  white: '#d6d0c8',
  brightBlack: '#7d766d',
  brightRed: '#ff968c',
  brightGreen: '#aadd90',
  brightYellow: '#f3cf8a',
  brightBlue: '#a5c5f7',
  brightMagenta: '#e3b5ea',
  brightCyan: '#95dcda',
  brightWhite: '#faf7f3',
  scrollbarSliderBackground: '#ffffff1f',
  scrollbarSliderHoverBackground: '#ffffff38',
  scrollbarSliderActiveBackground: '#ffffff50',
};

const lightTheme: ITheme = {
  background: '#fbfaf8',
  foreground: '#26221e',
  cursor: '#b4531f',
  cursorAccent: '#fbfaf8',
  selectionBackground: '#f3d3bfcc',
  selectionInactiveBackground: '#f0b48fcc',
  black: '#26221e',
  red: '#b3261e',
  green: '#3c7a1f',
  yellow: '#8a5a00',
  blue: '#2a5fb0',
  magenta: '#8b3a98',
  cyan: '#13706f',
  white: '#6b645c',
  brightBlack: '#776f66',
  brightRed: '#c93a31',
  brightGreen: '#2f7d32',
  brightYellow: '#946300',
  brightBlue: '#3470c8',
  brightMagenta: '#9f4bad',
  brightCyan: '#0f7f7d',
  brightWhite: '#4c4640',
  scrollbarSliderBackground: '#00000018',
  scrollbarSliderHoverBackground: '#00000030',
  scrollbarSliderActiveBackground: '#00000048',
};

export const darkPalette: Palette = {
  theme: darkTheme,
  search: {
    matchBackground: '#54431a',
    matchOverviewRuler: '#e3b866',
    activeMatchBackground: '#a04a1c',
    activeMatchColorOverviewRuler: '#ec9a6b',
  },
};

export const lightPalette: Palette = {
  theme: lightTheme,
  search: {
    matchBackground: '#f7e3ab',
    matchOverviewRuler: '#c99a2e',
    activeMatchBackground: '#f3b48c',
    activeMatchColorOverviewRuler: '#b4531f',
  },
};
