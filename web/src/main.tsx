import { render } from "preact";
import "../../llm4tag/reporting/look.css";
import "./style.css";
import { App } from "./App";

const place = document.getElementById("page");
if (place) render(<App />, place);
