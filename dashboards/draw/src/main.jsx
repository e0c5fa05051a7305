// The page that draws one dashboard: /d/UID, or the first that there is. ?theme=light for a light one, ?still for one that does not
// refresh by itself.
import { useLayoutEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Router } from 'react-router-dom';
import { ThemeContext } from '@grafana/data';
import { locationService, LocationServiceProvider } from '@grafana/runtime';
import { UrlSyncContextProvider } from '@grafana/scenes';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import { start } from './grafana.js';
import { sceneOf } from './scene.jsx';
import { service } from './sources/index.js';

async function main() {
  const [all, list] = await Promise.all(['/api/dashboards', '/api/sources'].map(async (url) => (await fetch(url)).json()));
  const uid = location.pathname.match(/^\/d\/([^/]+)/)?.[1];
  const dashboard = uid ? all.find((d) => d.uid === uid) : all[0];
  if (!dashboard) throw new Error(`no dashboard ${uid ?? ''}; there are ${all.map((d) => d.uid).join(', ')}`);
  const asked = new URLSearchParams(location.search);
  const theme = start(asked.get('theme') ?? 'dark', service(list));
  document.title = dashboard.title;
  document.body.style.fontFamily = theme.typography.fontFamily;
  createRoot(document.getElementById('root')).render(<Page scene={sceneOf(dashboard, all, asked.has('still'))} title={dashboard.title} theme={theme} />);
}

function Page({ scene, title, theme }) {
  return (
    <Location>
      <ThemeContext.Provider value={theme}>
        <GlobalStyles isExtensionSidebarOpen={false} />
        <PortalContainer />
        <main style={{ padding: theme.spacing(1, 2, 3), minHeight: '100vh', background: theme.colors.background.canvas }}>
          <header style={{ display: 'flex', alignItems: 'baseline', gap: theme.spacing(1.5), marginBottom: theme.spacing(1) }}>
            <h1 style={{ fontSize: theme.typography.h3.fontSize, margin: 0 }}>{title}</h1>
            <small style={{ color: theme.colors.text.secondary }}>drawn with Grafana's library</small>
          </header>
          <UrlSyncContextProvider scene={scene} updateUrlOnInit={false}><scene.Component model={scene} /></UrlSyncContextProvider>
        </main>
      </ThemeContext.Provider>
    </Location>
  );
}

// Location gives the library's address bar, an older history than the router's own, to the router.
function Location({ children }) {
  const history = locationService.getHistory();
  const [location, move] = useState(history.location);
  useLayoutEffect(() => history.listen((next) => move(next.location ?? next)), [history]);
  return <LocationServiceProvider service={locationService}><Router location={location} navigator={history}>{children}</Router></LocationServiceProvider>;
}

main().catch((fault) => {
  const text = document.createElement('pre');
  text.dataset.fault = '';
  text.textContent = String(fault?.stack ?? fault);
  document.getElementById('root').replaceChildren(text);
});
