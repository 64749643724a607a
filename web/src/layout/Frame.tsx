import { Avatar, Menu, Tooltip, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Check, LogOut, Monitor, Moon, Sun, WifiOff } from 'lucide-react';
import { Link, NavLink, Outlet, useNavigate } from 'react-router';
import * as calls from '../api/calls.ts';
import { useLiveState } from '../api/events.ts';
import * as queries from '../api/queries.ts';
import classes from './Frame.module.css';
import { Logo } from './Logo.tsx';

/** The rooms of the house, in the order of the header. */
const ROOMS = [
  { to: '/devices', label: 'Devices' },
  { to: '/sessions', label: 'Sessions' },
] as const;

export function Frame() {
  const counts = useQuery(queries.deviceCounts).data;
  const live = useLiveState();
  return (
    <div className={classes.frame}>
      <a className={classes.skip} href="#content">
        Skip to content
      </a>
      <header className={classes.header}>
        <div className={classes.headerInner}>
          <Link to="/devices" className={classes.brand}>
            <Logo />
            <span className={classes.wordmark}>Longwire</span>
          </Link>
          <nav className={classes.nav} aria-label="Main">
            {ROOMS.map((room) => (
              <NavLink key={room.to} to={room.to} className={classes.room}>
                {room.label}
                {room.to === '/devices' && !!counts?.pending && (
                  <Tooltip label={`${counts.pending} waiting to be accepted`}>
                    <span className={classes.badge}>
                      {counts.pending}
                      <span className="visually-hidden"> waiting to be accepted</span>
                    </span>
                  </Tooltip>
                )}
              </NavLink>
            ))}
          </nav>
          <span className={classes.spacer} />
          {live === 'lost' && (
            <span className={classes.offline} role="status">
              <WifiOff size={14} aria-hidden />
              <span>Live updates interrupted, reconnecting…</span>
            </span>
          )}
          <AccountMenu />
        </div>
      </header>
      <main id="content" className={classes.content} tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  );
}

const SCHEMES = [
  { value: 'light', label: 'Light', icon: Sun },
  { value: 'dark', label: 'Dark', icon: Moon },
  { value: 'auto', label: 'System', icon: Monitor },
] as const;

function AccountMenu() {
  const me = useQuery(queries.me).data;
  const server = useQuery(queries.server).data;
  const client = useQueryClient();
  const navigate = useNavigate();
  const { colorScheme, setColorScheme } = useMantineColorScheme();

  const signOut = async () => {
    await calls.signOut().catch(() => undefined);
    client.clear();
    await navigate('/sign-in', { replace: true });
  };

  return (
    <Menu position="bottom-end" width={248}>
      <Menu.Target>
        <UnstyledButton className={classes.account} aria-label="Account">
          <Avatar size={30} radius="xl" color="copper" variant="light">
            {me?.email.slice(0, 1).toUpperCase()}
          </Avatar>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <div className={classes.who}>
          <strong className="truncate">{me?.email}</strong>
          <span>{me?.roles.join(', ')}</span>
        </div>
        <Menu.Divider />
        <Menu.Label>Appearance</Menu.Label>
        {SCHEMES.map(({ value, label, icon: Icon }) => (
          <Menu.Item
            key={value}
            role="menuitemradio"
            aria-checked={colorScheme === value}
            closeMenuOnClick={false}
            leftSection={<Icon size={16} />}
            rightSection={colorScheme === value ? <Check size={15} /> : null}
            onClick={() => setColorScheme(value)}
          >
            {label}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<LogOut size={16} />} onClick={() => void signOut()}>
          Sign out
        </Menu.Item>
        {server && <div className={classes.version}>Longwire {server.version}</div>}
      </Menu.Dropdown>
    </Menu>
  );
}
