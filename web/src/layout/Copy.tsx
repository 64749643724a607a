import { ActionIcon, Tooltip } from '@mantine/core';
import { Check, Copy as CopyIcon } from 'lucide-react';
import { useEffect, useState } from 'react';
import classes from './Copy.module.css';
import { copyText } from './clipboard.ts';

/** A button that copies `text`; `what` names it for people who cannot see what stands beside it. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const back = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(back);
  }, [copied]);
  return (
    <Tooltip label={copied ? 'Copied' : 'Copy'}>
      <ActionIcon
        size="md"
        aria-label={copied ? `${what} copied` : `Copy ${what}`}
        onClick={() => void copyText(text).then(setCopied)}
      >
        {copied ? <Check size={15} className={classes.done} /> : <CopyIcon size={15} />}
      </ActionIcon>
    </Tooltip>
  );
}

/** A command to be typed on a device. */
export function Command({ children }: { children: string }) {
  return (
    <div className={classes.command}>
      <pre>
        <code>{children}</code>
      </pre>
      <CopyButton text={children} what="command" />
    </div>
  );
}
