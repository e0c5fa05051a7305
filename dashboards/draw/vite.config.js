import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import react from '@vitejs/plugin-react';

const require = createRequire(import.meta.url);
const { resolve } = require;

// What Grafana's library fetches by itself while it draws: its icons, and the fonts that its server would have beside it.
const files = {
  name: 'files',
  writeBundle({ dir }) {
    const icons = join(dir, 'build/img/icons');
    cpSync(join(dirname(resolve('@grafana/ui/package.json')), 'dist/public/img/icons'), icons, { recursive: true });
    // The library asks for more of them than it has. One is seen; the others are left blank.
    const right = readFileSync(join(icons, 'unicons/angle-double-right.svg'), 'utf8');
    writeFileSync(join(icons, 'unicons/angle-double-left.svg'), right.replace('<svg ', '<svg transform="scale(-1 1)" '));
    const there = new Set(readdirSync(icons, { recursive: true }).map((file) => basename(file, '.svg')));
    for (const name of Object.keys(require('@grafana/data').availableIconsIndex).filter((name) => !there.has(name))) {
      writeFileSync(join(icons, `unicons/${name}.svg`), '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"/>');
    }
    const inter = join(dirname(resolve('inter-ui/package.json')), 'web');
    for (const name of ['Inter-Regular', 'Inter-Medium', 'Inter-Italic', 'Inter-MediumItalic']) {
      cpSync(join(inter, `${name}.woff2`), join(dir, 'fonts/inter', `${name}.woff2`));
    }
    cpSync(resolve('@fontsource/roboto-mono/files/roboto-mono-latin-400-normal.woff2'),
      join(dir, 'fonts/roboto/L0xTDF4xlVMF-BfR8bXMIhJHg45mwgGEFl0_3vrtSM1J-gEPT5Ese6hmHSh0mQ.woff2'));
  },
};

export default {
  plugins: [react(), files],
  // The library still asks for the router by the name that it had between two of its versions.
  resolve: { alias: { 'react-router-dom-v5-compat': 'react-router-dom' } },
  build: { target: 'esnext', emptyOutDir: true, chunkSizeWarningLimit: 20000 },
};
