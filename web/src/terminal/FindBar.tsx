import { ActionIcon, TextInput } from '@mantine/core';
import { ChevronDown, ChevronUp, X } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import type { Screen } from './screen.ts';
import classes from './Terminal.module.css';

export interface Found {
  /** From 0; -1 when the library has stopped counting. */
  readonly index: number;
  readonly count: number;
}

export function FindBar(props: {
  wishes: number;
  screen: Screen;
  found: Found | undefined;
  onClose: () => void;
}) {
  const { wishes, screen, found, onClose } = props;
  const [text, setText] = useState('');
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (wishes) input.current?.select();
  }, [wishes]);

  return (
    <search className={classes.find}>
      <TextInput
        ref={input}
        aria-label="Find in terminal"
        placeholder="Find in terminal"
        size="xs"
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          if (event.currentTarget.value) screen.find(event.currentTarget.value, 'previous', true);
          else screen.endFind();
        }}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onClose();
          if (event.key === 'Enter') screen.find(text, event.shiftKey ? 'next' : 'previous');
        }}
      />
      <output className={classes.findCount}>{text ? countText(found) : ''}</output>
      <ActionIcon
        size="md"
        aria-label="Previous match"
        onClick={() => screen.find(text, 'previous')}
      >
        <ChevronUp size={16} />
      </ActionIcon>
      <ActionIcon size="md" aria-label="Next match" onClick={() => screen.find(text, 'next')}>
        <ChevronDown size={16} />
      </ActionIcon>
      <ActionIcon size="md" aria-label="Close find" onClick={onClose}>
        <X size={16} />
      </ActionIcon>
    </search>
  );
}

function countText(found: Found | undefined): string {
  if (!found || found.count === 0) return 'No match';
  return found.index < 0 ? `${found.count}+` : `${found.index + 1} of ${found.count}`;
}
