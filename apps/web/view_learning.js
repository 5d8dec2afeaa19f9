// The reader learns the hand of who corrects it: a line with how far it is, and its buttons.

import {button, create, find} from "./dom.js";
import {ask, given} from "./view_address.js";

const OFFER = "The reader can learn your hand in some minutes: from the rows that you have corrected, and "
  + "from others if --language-model reads them.";
const HAS_LEARNED = "The reader has learned your hand.";
const QUESTION = "Forget your hand? The notes are read again by the reader that has not learned it.";
let learning = {}, isAsking = false; // the state that is shown

/** Show the line where words are corrected, and wherever a learning is under way. */
export function placeLearning() {
  find("#learning").hidden =
    learning.text === undefined || !(learning.isUnderWay || given().doubtful);
}

/** Show the state of the learning; `say` is called with what came of it, `refused` with an error. */
export function showLearning(next, say, refused) {
  const {isUnderWay, text = "", hasLearned} = next, line = find("#learning");
  const isEnd = learning.isUnderWay && !isUnderWay;
  const isAlike = JSON.stringify(next) === JSON.stringify(learning);
  learning = next;
  placeLearning();
  if (isAlike) return;
  const act = (what) => {
    if (isAsking) return; // the button was pressed twice
    isAsking = true;
    ask(what, {}, {}).then((done) => showLearning(done.learning, say, refused)).catch(refused)
      .finally(() => { isAsking = false; });
  };
  const forget = () => { if (confirm(QUESTION)) act("forget"); };
  const buttons = isUnderWay ? [button("Stop", () => act("stop_learning"))] : [
    button(hasLearned ? "Learn again" : "Learn", () => act("learn")),
    ...hasLearned ? [button("Forget", forget)] : []];
  const isFocused = line.contains(document.activeElement);
  line.replaceChildren(
    create("span", {}, capitalised(text) || (hasLearned ? HAS_LEARNED : OFFER)), ...buttons);
  if (isFocused) buttons[0].focus();
  if (isEnd) say(capitalised(text).split("\n").at(-1));
}

const capitalised = (text) => text.replace(/^./gm, (letter) => letter.toUpperCase());
