// The scrubber of the Time Machine: dragging and arrow keys move the moment.
"use strict";
