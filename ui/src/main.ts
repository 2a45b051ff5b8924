import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { appearance } from './theme.svelte';

appearance.restore();
const target = document.getElementById('app');
if (target !== null) mount(App, { target });
