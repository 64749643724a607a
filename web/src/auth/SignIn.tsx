import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useLocation, useNavigate } from 'react-router';
import * as calls from '../api/calls.ts';
import { isStatus } from '../api/errors.ts';
import { ErrorNote } from '../layout/ErrorNote.tsx';
import { Logo } from '../layout/Logo.tsx';
import { usePageTitle } from '../layout/usePageTitle.ts';
import { returnPath } from './returnPath.ts';
import classes from './SignIn.module.css';

export function Component() {
  usePageTitle('Sign in');
  const navigate = useNavigate();
  const location = useLocation();
  const client = useQueryClient();
  const attempt = useMutation({
    mutationFn: (form: FormData) =>
      calls.signIn(String(form.get('email')), String(form.get('password'))),
    onSuccess: async () => {
      // Nothing of an earlier sign-in may be shown to the next person.
      client.clear();
      await navigate(returnPath(location.search), { replace: true });
    },
  });

  return (
    <main className={classes.page}>
      <div className={classes.backdrop} aria-hidden>
        <svg aria-hidden viewBox="0 0 1440 900" preserveAspectRatio="xMidYMid slice">
          {[0, 1, 2, 3, 4, 5, 6].map((line) => (
            <path
              key={line}
              d={`M-40 ${250 + line * 34}c260 ${190 - line * 14} 420 ${190 - line * 10} 640 ${70 - line * 6}s420 -${170 - line * 12} 900 ${40 + line * 10}`}
            />
          ))}
        </svg>
      </div>
      <div className={classes.card}>
        <Logo size={40} />
        <h1>Sign in to Longwire</h1>
        <p>Live terminals on your devices, wherever they are.</p>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            attempt.mutate(new FormData(event.currentTarget));
          }}
        >
          {attempt.error && (
            <ErrorNote>
              {isStatus(attempt.error, 401)
                ? 'This email and password do not match.'
                : attempt.error.message}
            </ErrorNote>
          )}
          <TextInput
            label="Email"
            name="email"
            type="email"
            autoComplete="username"
            required
            withAsterisk={false}
            autoFocus
            size="md"
          />
          <PasswordInput
            label="Password"
            name="password"
            autoComplete="current-password"
            required
            withAsterisk={false}
            size="md"
          />
          <Button type="submit" size="md" fullWidth loading={attempt.isPending} mt="xs">
            Sign in
          </Button>
        </form>
      </div>
      <p className={classes.help}>
        Locked out? On the server, <code>longwire-server user passwd</code> sets a new password.
      </p>
    </main>
  );
}
