import { render } from "preact";
import { startRouter } from "./app/router";
import { Shell } from "./app/Shell";
import { startTheme } from "./app/theme";
import "./styles/tokens.css";
import "./generated/palette.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/controls.css";

startTheme();
startRouter();
const root = document.getElementById("app");
if (root) render(<Shell />, root);
