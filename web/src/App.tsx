import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createBrowserRouter, Navigate, RouterProvider } from 'react-router';
import { isStatus } from './api/errors.ts';
import * as queries from './api/queries.ts';
import { RequireSignIn } from './auth/RequireSignIn.tsx';
import { DevicesPage } from './devices/DevicesPage.tsx';
import { Frame } from './layout/Frame.tsx';
import { NotFound, PageCrash } from './layout/Trouble.tsx';
import { theme } from './theme/theme.ts';

const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      // A sign-in that has ended shows anywhere; asking who one is leads to the door.
      if (isStatus(error, 401) && query.queryKey[0] !== queries.me.queryKey[0]) {
        void client.invalidateQueries({ queryKey: queries.me.queryKey });
      }
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (failures, error) =>
        failures < 2 && ![400, 401, 403, 404].some((status) => isStatus(error, status)),
    },
  },
});

const router = createBrowserRouter([
  {
    errorElement: <PageCrash />,
    children: [
      { path: '/sign-in', lazy: () => import('./auth/SignIn.tsx') },
      {
        element: <RequireSignIn />,
        children: [
          {
            element: <Frame />,
            children: [
              { index: true, element: <Navigate to="/devices" replace /> },
              { path: '/devices', element: <DevicesPage /> },
              {
                path: '/devices/:id',
                lazy: () => import('./devices/DevicePage.tsx'),
                children: [
                  { index: true, element: <Navigate to="identity" replace /> },
                  { path: 'identity', lazy: () => import('./devices/IdentityTab.tsx') },
                  { path: 'inventory', lazy: () => import('./devices/InventoryTab.tsx') },
                  {
                    path: 'troubleshooting',
                    lazy: () => import('./devices/TroubleshootingTab.tsx'),
                  },
                ],
              },
              { path: '/sessions', lazy: () => import('./sessions/SessionsPage.tsx') },
              {
                path: '*',
                element: (
                  <NotFound what="Page not found" detail="The address leads nowhere in Longwire." />
                ),
              },
            ],
          },
          // The terminal is the heaviest part and has the whole window: it comes when opened.
          {
            path: '/devices/:id/terminal/:sid?',
            lazy: () => import('./terminal/TerminalPage.tsx'),
          },
        ],
      },
    ],
  },
]);

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <Notifications position="bottom-right" />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
