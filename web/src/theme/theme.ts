import {
  ActionIcon,
  Anchor,
  Button,
  createTheme,
  defaultVariantColorsResolver,
  Input,
  Loader,
  type MantineColorsTuple,
  Menu,
  Modal,
  Tabs,
  Tooltip,
  type VariantColorsResolver,
} from '@mantine/core';

// Warm greys: the terminal is the darkest thing on the page, everything else steps up from it.
const ink: MantineColorsTuple = [
  '#f6f3ef',
  '#e9e5df',
  '#d6d0c8',
  '#b5aea5',
  '#8f877d',
  '#6b645c',
  '#4c4640',
  '#33302b',
  '#24211e',
  '#191715',
];
const dark: MantineColorsTuple = [
  '#ece8e2',
  '#cbc5bc',
  '#a39c92',
  '#7d766d',
  '#4a453f',
  '#36322d',
  '#272420',
  '#141211',
  '#100e0d',
  '#0c0b0a',
];
const copper: MantineColorsTuple = [
  '#fdf1ea',
  '#f9e0d2',
  '#f2c1a4',
  '#eca37a',
  '#e58a57',
  '#d97541',
  '#c4602c',
  '#a94f21',
  '#8a401b',
  '#6b3216',
];

/** Buttons take their colours from our tokens, so that light and dark each have their own contrast. */
const variantColorResolver: VariantColorsResolver = (input) => {
  const base = defaultVariantColorsResolver(input);
  if (input.variant === 'filled' && input.color === 'danger') {
    return {
      ...base,
      background: 'var(--lw-bad-fill)',
      hover: 'var(--lw-bad-fill-hover)',
      color: '#fff',
      border: '1px solid transparent',
    };
  }
  if (input.variant === 'filled' && (input.color ?? 'ink') === 'ink') {
    return { ...base, color: 'var(--lw-canvas)' };
  }
  if (input.variant === 'subtle' && input.color === 'gray') {
    return {
      ...base,
      color: 'var(--lw-text-2)',
      hover: 'var(--lw-hover)',
      hoverColor: 'var(--lw-text)',
    };
  }
  return base;
};

export const theme = createTheme({
  variantColorResolver,
  fontFamily: '"Geist Variable", system-ui, -apple-system, "Segoe UI", sans-serif',
  fontFamilyMonospace: '"JetBrains Mono Variable", ui-monospace, "SF Mono", Menlo, monospace',
  headings: { fontWeight: '600', sizes: { h1: { fontSize: '1.625rem', lineHeight: '1.25' } } },
  colors: { ink, dark, copper, gray: ink },
  primaryColor: 'ink',
  primaryShade: { light: 9, dark: 0 },
  autoContrast: true,
  defaultRadius: 'md',
  radius: { xs: '4px', sm: '6px', md: '8px', lg: '12px', xl: '16px' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Button: Button.extend({ defaultProps: { size: 'sm' }, styles: { label: { fontWeight: 500 } } }),
    ActionIcon: ActionIcon.extend({
      defaultProps: { variant: 'subtle', color: 'gray', size: 'lg' },
    }),
    Anchor: Anchor.extend({ defaultProps: { underline: 'hover' } }),
    Input: Input.extend({ defaultProps: { size: 'sm' } }),
    Loader: Loader.extend({ defaultProps: { type: 'dots', size: 'sm' } }),
    Menu: Menu.extend({ defaultProps: { shadow: 'md', radius: 'md', offset: 6 } }),
    Modal: Modal.extend({
      defaultProps: {
        centered: true,
        radius: 'lg',
        overlayProps: { backgroundOpacity: 0.32, blur: 2 },
        padding: 'lg',
        closeButtonProps: { 'aria-label': 'Close' },
      },
    }),
    Tabs: Tabs.extend({ defaultProps: { keepMounted: false } }),
    Tooltip: Tooltip.extend({
      defaultProps: { openDelay: 350, withArrow: false, radius: 'sm', fz: 'xs' },
    }),
  },
});
