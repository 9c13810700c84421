// Builds the console into dist/: a page, a script and a style sheet with names of their content, which the server serves
// below any path, hence the relative base. Nothing is inlined, because the server's content security policy allows no
// inline script or style.
import {defineConfig} from 'vite';

export default defineConfig({
  root: 'src',
  base: './',
  build: {outDir: '../dist', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, modulePreload: false},
});
